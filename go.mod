module github.com/inlaybuild/inlay

go 1.26
