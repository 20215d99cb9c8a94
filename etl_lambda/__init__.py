"""The loader: raw clickstream objects in S3 become rows of the warehouse, each exactly once."""
