"""Tests of the images and of the serving configuration."""
