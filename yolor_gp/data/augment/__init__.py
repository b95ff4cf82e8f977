"""What happens to a picture and its objects between the disk and the batch."""
