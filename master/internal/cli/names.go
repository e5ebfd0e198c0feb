package cli

import (
	"errors"
	"iter"
	"strings"

	"github.com/spf13/cobra"
)

// names is how people name things of one kind: by id, by a beginning of it that
// no other has, or by another name in full.
type names[T any] struct {
	one, many string // of the kind
	lists     string // the command that does
	id        func(T) string
	other     func(T) string // another name, compared without regard to case; may be nil
}

// find gives the one that is meant.
func (n names[T]) find(all iter.Seq2[T, error], meant string) (T, error) {
	var none T
	if meant == "" {
		return none, usagef("an empty name of a %s", n.one)
	}
	var near []T
	for thing, err := range all {
		if err != nil {
			return none, err
		}
		if n.id(thing) == meant || n.other != nil && strings.EqualFold(n.other(thing), meant) {
			return thing, nil
		}
		if strings.HasPrefix(n.id(thing), meant) {
			near = append(near, thing)
		}
	}
	switch len(near) {
	case 0:
		return none, errors.New("there is no " + n.one + " " + meant + "; " + n.lists + " shows them")
	case 1:
		return near[0], nil
	}
	text := meant + " begins the ids of several " + n.many + ":"
	for i, thing := range near {
		if i == shownCandidates {
			text += "\n  and more"
			break
		}
		text += "\n  " + n.id(thing)
		if n.other != nil {
			text += " " + n.other(thing)
		}
	}
	return none, errors.New(text)
}

// complete gives names for Tab: the ids, or where there are other names those,
// and the ids that begin as typed.
func (n names[T]) complete(all iter.Seq2[T, error], typed string) ([]string, cobra.ShellCompDirective) {
	var fits []string
	for thing, err := range all {
		if err != nil || len(fits) >= shownCompletions {
			break
		}
		if n.other != nil && strings.HasPrefix(n.other(thing), typed) {
			fits = append(fits, n.other(thing))
		}
		if strings.HasPrefix(n.id(thing), typed) && (n.other == nil || typed != "") {
			fits = append(fits, n.id(thing))
		}
	}
	return fits, cobra.ShellCompDirectiveNoFileComp
}
