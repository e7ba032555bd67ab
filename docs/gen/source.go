package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// field is a field of a struct in the source, with the name that files use and its comment.
type field struct {
	name, goName, doc string
	group             string // a comment that stands alone before it, such as "Time. ..."
	typ               string // as the source writes it
}

// fields reads the fields of a struct. A field without a comment has that of the field before it, if that names it too.
func fields(file, name, tag string) ([]field, error) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	var out []field
	var body *ast.StructType
	ast.Inspect(f, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.Name == name {
			body, _ = spec.Type.(*ast.StructType)
		}
		return body == nil
	})
	if body == nil {
		return nil, fmt.Errorf("%s has no struct %s", file, name)
	}
	last, end := "", body.Pos()
	for _, field_ := range body.Fields.List {
		if field_.Tag == nil || len(field_.Names) != 1 {
			return nil, fmt.Errorf("%s: a field of %s has no name or tag", file, name)
		}
		text, err := strconv.Unquote(field_.Tag.Value)
		if err != nil {
			return nil, err
		}
		key, _, _ := strings.Cut(reflect.StructTag(text).Get(tag), ",")
		one := field{name: key, goName: field_.Names[0].Name, typ: expression(field_.Type)}
		for _, alone := range f.Comments {
			begins := field_.Pos()
			if field_.Doc != nil {
				begins = field_.Doc.Pos()
			}
			if alone.Pos() > end && alone.End() < begins && set.Position(alone.Pos()).Line > set.Position(end).Line {
				one.group = strings.TrimSpace(alone.Text())
			}
		}
		end = field_.End()
		switch {
		case field_.Doc != nil:
			one.doc = field_.Doc.Text()
		case field_.Comment != nil:
			one.doc = field_.Comment.Text()
		case regexp.MustCompile(`\b` + one.goName + `\b`).MatchString(last):
			one.doc = last
		}
		last = one.doc
		out = append(out, one)
	}
	for i := range out {
		for _, verb := range []string{" is ", " are "} { // "BatchSize is in sequences" stands beside its name
			out[i].doc = strings.TrimPrefix(out[i].doc, out[i].goName+verb)
		}
		out[i].doc = renamed(out[i].doc, out)
		out[i].group = renamed(out[i].group, out)
	}
	return out, nil
}

// renamed is a comment with the names that files use.
func renamed(doc string, all []field) string {
	doc = strings.Join(strings.Fields(doc), " ")
	for _, f := range all {
		doc = regexp.MustCompile(`\b`+f.goName+`\b`).ReplaceAllLiteralString(doc, "`"+f.name+"`")
	}
	return doc
}

func expression(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.ArrayType:
		return "[]" + expression(e.Elt)
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return "?"
}

// constants reads the comments of a block of constants, by name and in order.
func constants(file, typ string) (names []string, docs map[string]string, err error) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		return nil, nil, err
	}
	docs = map[string]string{}
	for _, d := range f.Decls {
		block, ok := d.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST {
			continue
		}
		first := block.Specs[0].(*ast.ValueSpec)
		if id, ok := first.Type.(*ast.Ident); !ok || id.Name != typ {
			continue
		}
		for _, s := range block.Specs {
			spec := s.(*ast.ValueSpec)
			name := spec.Names[0].Name
			names = append(names, name)
			docs[name] = strings.TrimSpace(cmp.Or(spec.Comment.Text(), spec.Doc.Text()))
		}
	}
	if names == nil {
		return nil, nil, fmt.Errorf("%s has no constants of the type %s", file, typ)
	}
	return names, docs, nil
}

// packageDoc is the comment of a package, from the file that has it.
func packageDoc(file string) (string, error) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		return "", err
	}
	return f.Doc.Text(), nil
}
