"""AP by COCO's rules."""
