module goimports

go 1.21
