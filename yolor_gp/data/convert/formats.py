"""Which formats a data set is written in."""

FORMATS = ("coco", "yolo", "voc", "labelme")
