"""The whole chain on one computer: started, watched, stopped and summed up as one."""
