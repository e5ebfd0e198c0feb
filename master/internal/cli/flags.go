package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError says in words of ours what is wrong with a flag as it was written.
func flagError(cmd *cobra.Command, err error) error {
	return usagef("%s\n%s", flagErrorText(cmd.Flags(), err), seeHelp(cmd))
}

func flagErrorText(flags *pflag.FlagSet, err error) string {
	var unknown *pflag.NotExistError
	var lacks *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			return "unknown flag: -" + name
		}
		text := "unknown flag --" + name
		if near := nearFlags(flags, name); len(near) > 0 {
			text += "; did you mean --" + strings.Join(near, " or --") + "?"
		}
		return text
	case errors.As(err, &lacks):
		return "--" + lacks.GetFlag().Name + ": needs " + valueInWords(lacks.GetFlag())
	case errors.As(err, &invalid):
		f := invalid.GetFlag()
		return "--" + f.Name + ": " + quote([]string{invalid.GetValue()}) + " is not " + valueInWords(f)
	}
	return err.Error()
}

// valueInWords is what a flag takes.
func valueInWords(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "int":
		return "a whole number that fits"
	case "bool":
		return "true or false; the flag alone means true"
	}
	if name, _ := pflag.UnquoteUsage(f); name != "" {
		return "its value, a " + name
	}
	return "its value"
}

// mayBeEmpty are the flags to which an empty value means something.
var mayBeEmpty = []string{"server"} // not the one of CLOUDAI_SERVER

// checkFlags refuses values that are empty, as a variable of a script can be
// that was not set.
func checkFlags(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		if err == nil && f.Value.Type() == "string" && f.Value.String() == "" && !slices.Contains(mayBeEmpty, f.Name) {
			err = usagef("--%s: is empty", f.Name)
		}
	})
	return err
}

const (
	mostTypos = 2 // for a name to be suggested, and at most one in two letters
	shownNear = 2 // suggestions
)

// nearFlags are the flags that may have been meant: spelled wrong, or not in
// full.
func nearFlags(flags *pflag.FlagSet, typed string) []string {
	var near []string
	flags.VisitAll(func(f *pflag.Flag) {
		if typos(typed, f.Name) <= min(mostTypos, len(typed)/2) {
			near = append(near, f.Name)
		}
	})
	slices.SortFunc(near, func(a, b string) int { return typos(typed, a) - typos(typed, b) })
	flags.VisitAll(func(f *pflag.Flag) {
		begins := len(typed) > 1 && (strings.HasPrefix(f.Name, typed) || strings.HasPrefix(typed, f.Name))
		if begins && !slices.Contains(near, f.Name) {
			near = append(near, f.Name)
		}
	})
	return near[:min(len(near), shownNear)]
}

// typos counts the letters to add, drop, replace or swap with the next to make
// one word of the other (the restricted Damerau-Levenshtein distance).
func typos(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			wrong := 1
			if a[i] == b[j] {
				wrong = 0
			}
			row[j+1] = min(last[j]+wrong, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
