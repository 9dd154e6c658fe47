"""Search over views: accuracy, decisions and times next to matching images as they are."""
