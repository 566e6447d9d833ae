"""Pictures of what happens: overlays, renderings, previews."""
