"""What is generated for containers, and what is in their images."""
