"""DICOM files as studies: headers, series, orientation, pixels. No identifier leaves this room."""
