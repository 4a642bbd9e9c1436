#: rule COPY --from in a trigger names a stage of this file, or an image (1.10)
FROM scratch AS files
COPY hello.txt /file
FROM onbuild-from
