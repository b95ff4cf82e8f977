"""What people point detect at, and the pictures and videos it leaves."""
