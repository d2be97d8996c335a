// Package web holds the page that shows a run in a browser: what is built from src into dist, embedded.
//
// Nothing flows in; Files gives the built files, read-only, to any number of goroutines. Package page serves them. How they are
// built is in docs/page.md; make web-check builds them again and compares.
package web

import (
	"embed"
	"io/fs"
)

//go:embed dist
var dist embed.FS

// Files are index.html and all that it loads.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the folder is there, or this would not have been built
	}
	return files
}
