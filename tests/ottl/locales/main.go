// Prints the names of days, months and halves of the day that the reference's library knows, for
// `ottl-compiler/data/locales.txt`. The names of locales come in on standard input, one a line:
// `go doc -all github.com/elastic/lunes | grep -o '= "[^"]*"' | tr -d '= "' | go run ./locales`.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/elastic/lunes"
)

func main() {
	names := map[string][]string{}
	var order []string
	sc := bufio.NewScanner(os.Stdin)
	for sc.Scan() {
		l, err := lunes.NewDefaultLocale(sc.Text())
		if err != nil {
			continue
		}
		var fields []string
		for _, field := range [][]string{
			l.ShortDayNames(), l.LongDayNames(), l.ShortMonthNames(), l.LongMonthNames(), l.DayPeriods(),
		} {
			text := strings.Join(field, "|")
			if strings.Contains(text, "\t") || strings.Count(text, "|") != max(len(field)-1, 0) {
				panic(sc.Text())
			}
			fields = append(fields, text)
		}
		table := strings.Join(fields, "\t")
		if names[table] == nil {
			order = append(order, table)
		}
		names[table] = append(names[table], sc.Text())
	}
	fmt.Println("# Names of days, months and halves of the day, from the Unicode CLDR", lunes.CLDRVersion, "(Unicode License V3).")
	fmt.Println("# Made by tests/ottl/locales. Locales, short days, days, short months, months, AM and PM.")
	for _, table := range order {
		fmt.Println(strings.Join(names[table], " ") + "\t" + table)
	}
}
