"""What outlives a pod, on Redis. The only package that imports redis."""
