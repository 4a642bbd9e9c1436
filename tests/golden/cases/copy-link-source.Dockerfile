#: rule a symlink given as source is followed, within the root; links in a directory are copied (1.9)
FROM scratch
COPY linkdir /dir/
COPY absolute /file
