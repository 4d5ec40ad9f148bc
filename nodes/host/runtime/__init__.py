"""What every node needs of ComfyUI: files, cached weights, notices, progress, parts of sampling."""
