#: rule --chmod symbolic: made parents stay 0755 (1.9)
FROM scratch
COPY --chmod=u=rwX,go=rX other /p/q/
COPY --chmod=a-w,+x hello.txt /x
