"""What a run says: one document, and one small renderer per format. Renderers look nothing up."""
