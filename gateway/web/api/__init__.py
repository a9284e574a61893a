"""What people and their programs ask over HTTP, under ``/api/v1``: a route for each marked operation."""
