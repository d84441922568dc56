// Prints the patterns of browsers and operating systems that the reference's library has, for
// `ottl-compiler/data/user_agents.txt`: `browser` or `os`, the regular expression, and what name
// and versions are made of, separated by tabs.
package main

import (
	"fmt"
	"strings"

	"github.com/ua-parser/uap-go/uaparser"
)

func main() {
	p := uaparser.NewFromSaved()
	fmt.Println("# Patterns of user agents of github.com/ua-parser/uap-core (Copyright 2009 Google Inc., Apache License 2.0).")
	fmt.Println("# Made by tests/ottl/useragents. Kind, regular expression, templates of name and versions.")
	line := func(fields ...string) {
		text := strings.Join(fields, "\t")
		if strings.Count(text, "\t") != len(fields)-1 || strings.Contains(text, "\n") {
			panic(text)
		}
		fmt.Println(text)
	}
	for _, u := range p.UA {
		line("browser", u.Reg.String(), u.FamilyReplacement, u.V1Replacement, u.V2Replacement, u.V3Replacement)
	}
	for _, o := range p.OS {
		line("os", o.Reg.String(), o.OSReplacement, o.V1Replacement, o.V2Replacement, o.V3Replacement, o.V4Replacement)
	}
}
