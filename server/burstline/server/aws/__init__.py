"""What is read from AWS and asked of it: the only place that imports boto3."""
