package archtest_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

const prefix = "muster/internal/"

// impure are the parts of the standard library that pure packages do without,
// with everything below them.
var impure = []string{"context", "database/sql", "log", "net", "os", "os/exec", "syscall", "testing"}

// harmless are exceptions from impure: they parse text and do no I/O.
var harmless = []string{"net/netip", "net/url"}

// clocks are the functions of package time that read a clock or wait for one.
var clocks = []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}

// check returns what the packages below internal break of the rules, one
// sentence each, in the order of the files. Tests may import what they like.
func check(internal fs.FS, rules map[string]rule) ([]string, error) {
	var problems []string
	unlisted := make(map[string]bool)
	err := walk(internal, func(pkg string, fset *token.FileSet, file *ast.File) {
		r, ok := rules[pkg]
		if !ok && !unlisted[pkg] {
			unlisted[pkg] = true
			problems = append(problems, fmt.Sprintf(
				"internal/%s is not in the table: add a row to internal/archtest/table_test.go that says what it is for and what it may import", pkg))
		}
		if !ok {
			return
		}
		problems = append(problems, checkImports(fset, file, pkg, r)...)
		if r.pure {
			problems = append(problems, checkPure(fset, file)...)
		}
	})
	return problems, err
}

// unused returns what the rules have and nobody needs, one sentence each: rows of
// packages that are not there, and imports that no file of a package has. A right
// that stays behind is the next shortcut.
func unused(internal fs.FS, rules map[string]rule) ([]string, error) {
	imports := make(map[string][]string)
	err := walk(internal, func(pkg string, _ *token.FileSet, file *ast.File) {
		imports[pkg] = append(imports[pkg], "")
		for _, imp := range file.Imports {
			imports[pkg] = append(imports[pkg], strings.TrimPrefix(importPath(imp), prefix))
		}
	})
	var problems []string
	for _, pkg := range slices.Sorted(maps.Keys(rules)) {
		if imports[pkg] == nil {
			problems = append(problems, fmt.Sprintf("%s is in the table and has no code: take its row out", pkg))
			continue
		}
		for _, may := range rules[pkg].imports {
			if !slices.Contains(imports[pkg], may) {
				problems = append(problems, fmt.Sprintf("%s may import %s and does not: take the right out", pkg, may))
			}
		}
	}
	return problems, err
}

// walk calls each for every Go file below internal that is no test, in order.
func walk(internal fs.FS, each func(pkg string, fset *token.FileSet, file *ast.File)) error {
	return fs.WalkDir(internal, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "testdata":
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		src, err := fs.ReadFile(internal, name)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "internal/"+name, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		each(path.Dir(name), fset, file)
		return nil
	})
}

// checkImports returns the imports of file that r does not allow.
func checkImports(fset *token.FileSet, file *ast.File, pkg string, r rule) []string {
	var problems []string
	report := func(n ast.Node, format string, args ...any) {
		problems = append(problems, fset.Position(n.Pos()).String()+": "+fmt.Sprintf(format, args...))
	}
	for _, imp := range file.Imports {
		imported := importPath(imp)
		first, _, _ := strings.Cut(imported, "/")
		ours, internal := strings.CutPrefix(imported, prefix)
		switch {
		case internal && !slices.Contains(r.imports, ours):
			report(imp, "%s must not import %s (%s: %s)", pkg, ours, pkg, r.why)
		case internal:
		case first == "muster":
			report(imp, "%s must not import %s: nothing below internal knows the programs or their tests", pkg, imported)
		case r.pure && strings.Contains(first, "."):
			report(imp, "%s is pure and must not import %s: only the standard library", pkg, imported)
		case r.pure && isImpure(imported):
			report(imp, "%s is pure and must not import %s: no I/O, no clock, no waiting", pkg, imported)
		}
	}
	return problems
}

// checkPure returns the go statements of file and its uses of a clock.
func checkPure(fset *token.FileSet, file *ast.File) []string {
	var problems []string
	timeName := ""
	for _, imp := range file.Imports {
		if importPath(imp) == "time" {
			timeName = "time"
			if imp.Name != nil {
				timeName = imp.Name.Name
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			problems = append(problems, fset.Position(n.Pos()).String()+": a pure package starts no goroutine")
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if ok && timeName != "" && x.Name == timeName && slices.Contains(clocks, n.Sel.Name) {
				problems = append(problems, fmt.Sprintf("%s: a pure package has no clock: take the time as a parameter instead of time.%s",
					fset.Position(n.Pos()), n.Sel.Name))
			}
		}
		return true
	})
	return problems
}

func isImpure(imported string) bool {
	return !slices.Contains(harmless, imported) && slices.ContainsFunc(impure, func(p string) bool {
		return imported == p || strings.HasPrefix(imported, p+"/")
	})
}

func importPath(imp *ast.ImportSpec) string {
	p, err := strconv.Unquote(imp.Path.Value)
	if err != nil {
		return imp.Path.Value // the parser has accepted it; show it as it stands
	}
	return p
}
