// Runs the reference over cases and prints what it gives: `go run . < cases.txt > expected.txt`.
// A case is a kind (v: value expression, c: condition, s: statements separated by `;;`) and a
// text in which `@x` stands for `log.attributes["x"]`; all run on the log record made below.
// REFUSED is an error of the configuration, ERROR one of the row; where the reference panics,
// an error is expected.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottllog"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/ottlfuncs"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog"

	"reference/show"
)

func fixture() *ottllog.TransformContext {
	l := plog.NewLogs()
	rl := l.ResourceLogs().AppendEmpty()
	rl.SetSchemaUrl("https://schema")
	rl.Resource().Attributes().PutStr("host", "localhost")
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName("scope")
	r := sl.LogRecords().AppendEmpty()
	r.SetTimestamp(1581452772000000321)
	r.SetObservedTimestamp(1581452773000000321)
	r.SetSeverityNumber(1)
	r.SetSeverityText("blue screen")
	r.SetFlags(1)
	r.SetTraceID([16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	r.SetSpanID([8]byte{1, 2, 3, 4, 5, 6, 7, 8})
	r.Body().SetStr("operationA")
	a := r.Attributes()
	a.PutStr("s", "hello")
	a.PutInt("i", 1)
	a.PutDouble("d", 1)
	a.PutBool("t", true)
	x := a.PutEmptySlice("l")
	x.AppendEmpty().SetStr("v1")
	x.AppendEmpty().SetInt(42)
	x.AppendEmpty().SetBool(true)
	y := a.PutEmptySlice("ll").AppendEmpty().SetEmptySlice()
	y.AppendEmpty().SetInt(1)
	y.AppendEmpty().SetInt(2)
	m := a.PutEmptyMap("m")
	m.PutStr("x", "<a>&")
	m.PutInt("a", 2)
	m.PutEmptyMap("n").PutStr("y", "z")
	a.PutEmptyBytes("by").FromRaw([]byte{0xde, 0xad})
	a.PutEmptyBytes("eb")
	a.PutEmpty("none")
	a.PutStr("jp", "日本語")
	return ottllog.NewTransformContext(rl, sl, r)
}

func names(s string) string {
	out := ""
	for i := 0; i < len(s); i++ {
		if s[i] != '@' {
			out += s[i : i+1]
			continue
		}
		{
			j := i + 1
			for j < len(s) && s[j] >= 'a' && s[j] <= 'z' {
				j++
			}
			out += `log.attributes["` + s[i+1:j] + `"]`
			i = j - 1
		}
	}
	return out
}

func main() {
	p, err := ottllog.NewParser(ottlfuncs.StandardFuncs[*ottllog.TransformContext](), componenttest.NewNopTelemetrySettings(), ottllog.EnablePathContextNames())
	if err != nil {
		panic(err)
	}
	sc := bufio.NewScanner(os.Stdin)
	for sc.Scan() {
		line := sc.Text()
		if line == "" {
			continue
		}
		func() {
			defer func() {
				if r := recover(); r != nil {
					fmt.Println("ERROR")
				}
			}()
			kind, rest, _ := strings.Cut(line, " ")
			rest = names(rest)
			tc := fixture()
			switch kind {
			case "v":
				e, err := p.ParseValueExpression(rest)
				if err != nil {
					fmt.Println("REFUSED")
					return
				}
				v, err := e.Eval(context.Background(), tc)
				if err != nil {
					fmt.Println("ERROR")
					return
				}
				fmt.Println(show.Value(v))
			case "c":
				e, err := p.ParseCondition(rest)
				if err != nil {
					fmt.Println("REFUSED")
					return
				}
				v, err := e.Eval(context.Background(), tc)
				if err != nil {
					fmt.Println("ERROR")
					return
				}
				fmt.Println(v)
			case "s":
				var err error
				for _, one := range strings.Split(rest, ";;") {
					e, perr := p.ParseStatement(one)
					if perr != nil {
						fmt.Println("REFUSED")
						return
					}
					_, _, err = e.Execute(context.Background(), tc)
				}
				mark := ""
				if err != nil {
					mark = "ERROR "
				}
				g, _ := p.ParseValueExpression("log.attributes")
				v, _ := g.Eval(context.Background(), tc)
				b, _ := p.ParseValueExpression("log.body")
				bv, _ := b.Eval(context.Background(), tc)
				fmt.Printf("%s%s %s\n", mark, show.Value(v), show.Value(bv))
			}
		}()
	}
}
