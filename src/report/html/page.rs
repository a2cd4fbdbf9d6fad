//! The frame of a page.

use super::super::{Heading, escaped};
use super::text::{prose, shell};
use crate::backend::DeviceKind;

/// Colours, sizes, and what changes for dark screens, narrow ones and paper.
const STYLE: &str = include_str!("style.css");

/// A page that grows by sections.
#[derive(Debug, Clone)]
pub struct Page {
    heading: Heading,
    title: String,
    lead: String,
    about: Vec<(&'static str, String)>,
    body: String,
}

impl Page {
    /// A page with its result in a sentence.
    pub(super) fn new(heading: &Heading, title: &str, lead: &str) -> Self {
        let (heading, about, body) = (heading.clone(), Vec::new(), String::new());
        Self { heading, title: title.to_owned(), lead: lead.to_owned(), about, body }
    }

    /// Says what the run was about; nothing where there is nothing to say.
    pub(super) fn about(&mut self, name: &'static str, text: Option<&str>) {
        self.about.extend(text.filter(|text| !text.is_empty()).map(|text| (name, text.to_owned())));
    }

    /// Adds a section; none where it would be empty.
    pub(super) fn section(&mut self, title: &str, content: &str) {
        if !content.is_empty() {
            self.body.push_str(&format!("<section>\n<h2>{}</h2>\n{content}</section>\n", escaped(title)));
        }
    }

    /// The page, with the words of the command line, whose first is the program, and the report as JSON.
    #[must_use]
    pub fn html(&self, command_line: &[String], json: &str) -> String {
        let Heading { command, version, seed, device, .. } = &self.heading;
        let words: Vec<String> =
            std::iter::once("tropix".to_owned()).chain(command_line.iter().skip(1).cloned()).collect();
        let kind = if device.kind == DeviceKind::Gpu && device.software { ", a software adapter" } else { "" };
        let device = format!("{} ({}{kind})", device.name, device.backend);
        let run = [("Device", device), ("Seed", seed.to_string()), ("Version", format!("tropix {version}"))];
        let words: Vec<String> = shell(&words).iter().map(|word| format!("<span>{}</span>", escaped(word))).collect();
        let mut about = format!("<dt>Command</dt><dd><code class=\"words\">{}</code></dd>\n", words.join(" "));
        for (name, text) in self.about.iter().chain(&run) {
            about.push_str(&format!("<dt>{name}</dt><dd>{}</dd>\n", prose(text)));
        }
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
             <body>\n<main>\n<header>\n<p class=\"command\">tropix {command}</p>\n<h1>{title}</h1>\n\
             <p class=\"lead\">{lead}</p>\n<dl>\n{about}</dl>\n</header>\n{body}\
             <details>\n<summary>The report as JSON</summary>\n<pre>{json}</pre>\n</details>\n</main>\n</body>\n</html>\n",
            title = escaped(&self.title),
            lead = prose(&self.lead),
            body = self.body,
            json = escaped(json),
        )
    }
}
