"""`aegis credentials`: short-lived credentials for other tools, and why a cloud would refuse them."""
