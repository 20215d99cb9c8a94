"""Lambda's runtime: the function's real zip under AWS's own runtime client."""
