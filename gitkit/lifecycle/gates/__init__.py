"""Gates: rules about what a version holds, each in the module of its kind. What cannot be told is not passed."""
