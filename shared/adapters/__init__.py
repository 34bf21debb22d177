"""The world we run on, one package per platform, each file named after the port it keeps."""
