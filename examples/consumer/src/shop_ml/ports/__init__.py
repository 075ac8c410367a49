"""What the service needs of the world."""
