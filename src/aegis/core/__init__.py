"""What every room may use: verdict, policy, errors, codes, and the ports to the world outside."""
