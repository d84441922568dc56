//! Whatever a text is: those who read it give something or an error, and never panic or go on
//! without an end.

use proptest::prelude::*;

use super::{
    charset::Charset,
    csv,
    locale::Locale,
    sprintf::sprintf,
    strptime::{self, Parser},
    url::{Url, parse_query},
    user_agent::Patterns,
    xml::Reader,
};
use crate::value::Value;

fn text() -> impl Strategy<Value = Vec<u8>> {
    let near = r#"[a-c0-9<>/&;#?!\[\]"'=:@%+\-. \n\r\t,_éZTM|{}$*]{0,40}"#;
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        near.prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn no_text_breaks_its_reader(text in text(), other in text()) {
        for lazy in [false, true] {
            let _ = csv::read(&text, ',', lazy);
        }
        if let Ok(url) = Url::parse(&text) {
            // What is put together again is an address as before.
            let again = Url::parse(&url.text());
            prop_assert!(again.is_err() || again.is_ok_and(|again| again.scheme == url.scheme));
        }
        let _ = parse_query(&text);
        let mut reader = Reader::new(&text);
        while reader.next_token().is_ok() {}
        let values = [Value::Int(7), Value::Float(-0.5), Value::text(&other), Value::Nil];
        let _ = sprintf(&text, &values);
        for name in ["utf-16", "hz-gb-2312", "gb18030", "ibm037", "utf-8"] {
            if let Ok(charset) = Charset::find(name) {
                prop_assert!(std::str::from_utf8(&charset.decode(&text)).is_ok());
            }
        }
        if let Some(patterns) = Patterns::get() {
            let _ = patterns.browser(&String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn no_format_breaks_times(
        format in r"(%[YymoqbhBdegaAHlIpPMSZzwijkDxFTXrRntc%]|\.%[Lfs]|[ /:TZ_\-]|Jan|MST){1,12}",
        text in text(),
        locale in prop_oneof![Just(None), Just(Some("de")), Just(Some("ja"))],
    ) {
        let now = super::time::now();
        if let (Ok(layout), Ok(parser)) =
            (strptime::layout(&format), Parser::new(&format, Some("Europe/Berlin"), locale))
        {
            let mut shown = Vec::new();
            layout.format(now, &mut shown);
            let _ = parser.parse(&shown);
            let _ = parser.parse(&text);
        }
        if let Ok(locale) = Locale::find("fr") {
            let _ = locale.translate(format.as_bytes(), &text);
        }
    }
}
