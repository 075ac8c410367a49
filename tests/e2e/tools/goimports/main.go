// Goimports prints, for each Go file below the given folders, the import specs that go/parser finds.
package main

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

type spec struct {
	Line int    `json:"line"`
	Path string `json:"path"`
}

type answer struct {
	File  string `json:"file"`
	Error string `json:"error"`
	Specs []spec `json:"specs"`
}

func main() {
	out := json.NewEncoder(os.Stdout)
	for _, folder := range os.Args[1:] {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			return out.Encode(read(path))
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func read(path string) answer {
	files := token.NewFileSet()
	found := answer{File: path, Specs: []spec{}}
	tree, err := parser.ParseFile(files, path, nil, parser.ImportsOnly)
	if err != nil {
		found.Error = err.Error()
		return found
	}
	for _, one := range tree.Imports {
		name, err := strconv.Unquote(one.Path.Value)
		if err != nil {
			found.Error = err.Error()
		}
		// PositionFor without //line directives, which would tell lines of another file.
		found.Specs = append(found.Specs, spec{files.PositionFor(one.Pos(), false).Line, name})
	}
	return found
}
