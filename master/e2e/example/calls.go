package example

import (
	"regexp"
	"strings"
)

// Call is a program as a document calls it.
type Call struct {
	Program string   // Command, or a program's name
	Words   []string // that precede its first flag, as far as they could be names of commands
	Flags   []string // up to --
}

// Command is the Program of what goes to the command line: bin/master cli, or a
// line at the prompt.
const Command = "cli"

// begins is where a call can begin: on a line of its own or in a code span.
var begins = regexp.MustCompile("(^|`|\\$ |[ (])(bin/master cli|master>|bin/master|bin/worker|\\./runMaster\\.sh|\\./runWorker\\.sh)(?:[ `]|$)|(^|`)(make)(?: )")

var (
	ends = regexp.MustCompile("[`|;)&]| #| -- ")
	name = regexp.MustCompile(`^[a-z][a-z-]*$`)
)

// valued are the flags of every command, which may precede it, that take a
// value.
var valued = map[string]bool{"-o": true, "--output": true, "--server": true, "--user": true, "--data-dir": true}

// Calls finds the calls in a line of a document. A comment behind an example
// makes none.
func Calls(line string) []Call {
	line, _, _ = strings.Cut(line, " # ")
	var found []Call
	for _, at := range begins.FindAllStringSubmatchIndex(line, -1) {
		program := at[4:6]
		if program[0] < 0 {
			program = at[8:10]
		}
		rest := line[program[1]:]
		if end := ends.FindStringIndex(rest); end != nil {
			rest = rest[:end[0]]
		}
		found = append(found, callOf(line[program[0]:program[1]], strings.Fields(rest)))
	}
	return found
}

func callOf(program string, words []string) Call {
	c := Call{Program: program[strings.LastIndexByte(program, '/')+1:]}
	if program == "bin/master cli" || program == "master>" {
		c.Program = Command
	}
	names := true // those of commands are not over
	for i := 0; i < len(words); i++ {
		word := words[i]
		switch {
		case strings.HasPrefix(word, "-"):
			flag, _, joined := strings.Cut(word, "=")
			c.Flags = append(c.Flags, flag)
			if valued[flag] && !joined {
				i++
			}
			names = names && (len(c.Words) == 0)
		case names && name.MatchString(word):
			c.Words = append(c.Words, word)
		default:
			names = false
		}
	}
	return c
}
