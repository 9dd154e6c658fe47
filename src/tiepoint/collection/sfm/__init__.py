"""Structure from motion and localization on a matched collection."""
