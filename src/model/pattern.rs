//! temporary
pub struct Pattern(globset::GlobMatcher);
impl Pattern {
    pub fn new(text: &str) -> Result<Pattern, String> {
        globset::GlobBuilder::new(text).case_insensitive(true).build().map(|g| Pattern(g.compile_matcher())).map_err(|e| e.to_string())
    }
    pub fn matches(&self, text: &str) -> bool { self.0.is_match(text) }
}
