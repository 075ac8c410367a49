"""What Java and Kotlin files name."""
