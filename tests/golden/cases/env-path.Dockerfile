#: rule PATH given by the image is not touched; expansion sees it (2.2)
FROM scratch
ENV PATH=$PATH:/more
