#: rule --parents keeps the directories of a source, from the pivot on (1.9)
FROM scratch
COPY --parents dir/sub/three /a/
COPY --parents ./dir/./sub /b
COPY --parents dir/*/deep/*.md other/./one /c/
COPY --parents **/one /d/
COPY --parents --exclude=**/deep dir/ /e
