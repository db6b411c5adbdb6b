"""MTCNN: three nets, a pyramid, suppression of boxes."""
