module reference

go 1.26.0
