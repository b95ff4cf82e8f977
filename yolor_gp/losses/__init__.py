"""What is learned from: assignment, box, objectness, classes, masks."""
