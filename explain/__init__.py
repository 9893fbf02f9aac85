"""Why a model said what it said: local explanations of tables, images, text and policies."""
