"""Channels for people beside their device: page, questions, letter, mail, banner and post.

:mod:`view` reads the story for one language, :mod:`sections` puts it in order, and one module a channel gives
it its form. Nothing here is said that neither the facts nor the phrases say.
"""
