"""One way to production: files into a bucket, rows into another database."""
