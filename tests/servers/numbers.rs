//! A table of numbers for the rows of tests and benches.

/// Returns a table with the numbers from 1 on in its column `i`, in SQL that every server reads.
pub(crate) fn numbers(count: usize) -> String {
    let digit = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 \
         UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    let digits = 0..count.to_string().len();
    let sum: String = digits.clone().map(|n| format!(" + {} * digit{n}.d", 10_usize.pow(n as u32))).collect();
    let from: Vec<String> = digits.map(|n| format!("{digit} AS digit{n}")).collect();
    format!(
        "(SELECT i FROM (SELECT 1{sum} AS i FROM {}) AS every WHERE i <= {count} ORDER BY i) AS number",
        from.join(", ")
    )
}
