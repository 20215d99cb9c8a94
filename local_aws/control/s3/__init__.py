"""S3's objects, served fast: the buckets are moto's, the way to their objects is ours."""
