package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Flags has one command-line flag for every setting. Its struct is made from
// the table of settings, so that no flag can be missing or have another name.
// The struct carries the field tags of kong; this package needs nothing else of it.
type Flags struct {
	table  []key
	fields reflect.Value // the struct: *bool and *string, nil for flags that were not given
}

// NewFlags returns flags of which none is given.
func NewFlags() *Flags {
	f := &Flags{table: keys()}
	defaults := Default()
	var fields []reflect.StructField
	for _, k := range f.table {
		help := fmt.Sprintf("%s ($%s).", strings.ToUpper(k.help[:1])+k.help[1:], k.env())
		field := reflect.StructField{
			Name: strings.ToUpper(k.name[:1]) + k.name[1:],
			Type: reflect.TypeFor[*string](),
			Tag:  tags("name", k.flag(), "help", help, "placeholder", k.get(&defaults)),
		}
		if k.kind == boolean {
			field.Type = reflect.TypeFor[*bool]()
			field.Tag = tags("name", k.flag(), "help", help, "negatable", "")
		}
		fields = append(fields, field)
	}
	f.fields = reflect.New(reflect.StructOf(fields)).Elem()
	return f
}

// tags returns a struct tag of names and values in turn.
func tags(pairs ...string) reflect.StructTag {
	var items []string
	for i := 0; i+1 < len(pairs); i += 2 {
		items = append(items, pairs[i]+":"+strconv.Quote(pairs[i+1]))
	}
	return reflect.StructTag(strings.Join(items, " "))
}

// Struct returns a pointer to the struct that the command line is parsed into,
// to be an element of the kong.Plugins of a command.
func (f *Flags) Struct() any {
	return f.fields.Addr().Interface()
}

// Given returns the flags that were given, for Input.Flags.
func (f *Flags) Given() map[string]string {
	given := make(map[string]string)
	for i, k := range f.table {
		switch v := f.fields.Field(i).Interface().(type) {
		case *string:
			if v != nil {
				given[k.name] = *v
			}
		case *bool:
			if v != nil {
				given[k.name] = strconv.FormatBool(*v)
			}
		}
	}
	return given
}
