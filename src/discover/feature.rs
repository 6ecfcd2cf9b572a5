//! The features by which a pair of columns is judged: their names, and a sentence about each.
//!
//! A feature is a number, mostly from 0 to 1. The sentences explain a score to people; the numbers are in the report too.

/// Defines an enumeration of features with the list of its variants, the name in files, and the sentence for people.
macro_rules! features {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $key:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum $name {
            $($variant,)*
        }

        impl $name {
            pub(super) const ALL: &[$name] = &[$($name::$variant,)*];
            pub(super) const COUNT: usize = $name::ALL.len();

            pub(super) fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $key,)*
                }
            }

            /// Returns what the feature says about a pair, as a part of a sentence.
            pub(super) fn text(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)*
                }
            }
        }
    };
}

features! {
    /// A feature of a pair alone.
    PairFeature {
        KeyEqual "key-name-equal" "the column bears the name of the parent's key",
        KeyRole "key-name-with-role" "the column bears the name of the parent's key with a word before it",
        KeyOther "key-name-alike" "the column's name is like the name of the parent's key",
        TableEqual "table-name-equal" "the column is named after the parent table",
        TableRole "table-name-with-role" "the column is named after the parent table with a word before it",
        TableTail "table-name-tail" "the column is named after the end of the parent table's name",
        TableAbbreviation "table-name-abbreviated" "the column's name is an abbreviation of the parent table's name",
        TableWord "table-name-word" "the column and the parent table have a word in common",
        GenericEqual "generic-name-equal" "both columns bear the same general name",
        Name "name" "likeness of the names",
        IdWord "id-word" "the column's name has an identifier word",
        SelfRole "self-role" "the column's name is a role of another row of the same table",
        PersonRole "person-role" "the column's name is a role of a person, and the parent holds people",
        Measure "measure" "the column's name is a measure",
        RowMark "row-mark" "the column's name is a mark of its own row",
        RivalName "better-name-elsewhere" "another key is closer to the column's name",
        NameWithIdWord "name-with-id-word" "the names are alike, and the column has an identifier word",
        ViewJoin "view-join" "a view or trigger joins the two columns",
        Coverage "coverage" "share of the parent's keys that the child uses",
        CoverageMagnitude "coverage-magnitude" "order of magnitude of the share of keys in use",
        Unevenness "unevenness" "the child's keys are spread unevenly over the parent's",
        Range "covered-range" "share of the parent's order between the least and the greatest key in use",
        MissingKeys "missing-keys" "share of the child's keys that the parent does not have",
        MissingRows "missing-rows" "share of the child's rows whose key the parent does not have",
        Exact "exact" "every key of the child exists in the parent",
        OwnKey "child-is-key" "the child's column is itself unique",
        OwnPrimary "child-is-primary-key" "the child's column is its own primary key",
        InPrimary "part-of-primary-key" "the child's column is a part of its primary key",
        Indexed "child-indexed" "an index begins with the child's column",
        ParentPrimary "parent-is-primary-key" "the parent's column is its primary key",
        ParentUnique "parent-is-unique-key" "a unique key is declared on the parent's column",
        ParentUndeclared "parent-key-undeclared" "the parent's column is unique in its rows only",
        ParentFirst "parent-is-first-column" "the parent's column is the first of its table",
        TypeEqual "type-equal" "both columns have the same declared type",
        Integers "integers" "the child holds whole numbers",
        Text "text" "the child holds text",
        LongText "long-text" "the child holds long text",
        Real "real" "the child holds numbers with fractions",
        Date "date" "the child holds dates",
        FewKeys "few-keys" "the child has at most two different keys",
        Tiny "tiny" "the child has at most three rows with a key",
        SizeRatio "size-ratio" "the child has more rows than the parent",
        SelfReference "self-reference" "the child and the parent are one table",
        Position "position" "the child's column stands late in its table",
        Nullable "nulls" "share of the child's rows without a key",
        OneToOne "one-to-one" "each parent has one child at most, and nearly all have one",
        Distinct "distinct" "number of the child's different keys",
        Alternatives "alternatives" "number of other keys that would hold the child's values",
        ParentGeneric "parent-key-generic" "the parent's key has a general name",
        NamedAfterOwn "named-after-own-table" "the child's column is named after its own table",
        ZeroBased "zero" "0 is among the child's keys",
        UnevennessUnnamed "unevenness-without-name" "no name speaks for the pair, and the keys are spread unevenly",
        CoverageUnnamed "coverage-without-name" "no name speaks for the pair; share of the parent's keys in use",
        ChildGeneric "child-name-generic" "the child's column has a general name",
        SelfExact "self-role-exact" "the role of another row of the table, and every key exists",
        UnnamedId "unnamed-id" "an identifier word, and no name of the schema that it could refer to",
        UnnamedIdUnevenness "unnamed-id-unevenness" "such an identifier, whose keys are spread unevenly",
        UnnamedPrimary "unnamed-primary-key" "no name to refer to, and the keys of a smaller table's primary key",
        UnnamedJunction "unnamed-junction" "no name speaks for the pair, in the key of a small table",
        RoleInPrimary "named-part-of-primary-key" "a part of the primary key with a name that speaks for the pair",
        KeyEqualIntegers "key-name-equal-integers" "equal names of whole numbers",
        NameExact "name-exact" "the names are alike, and every key exists",
        NameMissing "name-missing-keys" "the names are alike, and keys are missing",
        NameUndeclared "name-undeclared-key" "the names are alike, and the parent's key is not declared",
        UnnamedUndeclared "unnamed-undeclared-key" "no name speaks for the pair, and the parent's key is not declared",
        UnnamedText "unnamed-text" "no name speaks for the pair, and the child holds text",
        UnnamedFew "unnamed-few-keys" "no name speaks for the pair, and the child has few keys",
        IdNamedElsewhere "id-named-elsewhere" "the identifier is named after another table",
        PersonExact "person-role-exact" "a role of a person, and every key exists",
        SmallParent "small-parent" "the parent has at most three keys",
        TypeEqualText "type-equal-text" "both columns have the same declared type, and no numbers",
        ChildNamedAfterParent "child-table-names-parent" "the child table's name contains the parent's",
        UnnamedChildTable "unnamed-child-table-names-parent" "only the child table's name speaks for the parent",
        ParentNamedAfterChild "parent-table-names-child" "the parent table's name begins with the child's",
        Tightest "tightest" "no equally named key holds the child's values more closely",
        SetsEqual "sets-equal" "the child uses exactly the parent's keys",
        LooserThanRival "looser-than-rival" "an equally named key holds the child's values more closely",
        BothNames "both-names" "the column is named after the parent table and after its key",
        NameFewKeys "name-few-keys" "the names are alike, and the child has at most two different keys",
        ManyMissingRows "many-missing-rows" "more than a seventh of the child's rows with a key have no parent",
        PersonExtension "person-extension" "the child's own key, and the parent holds the people or parties that the child may describe",
        OwnKeyOtherParent "own-key-other-parent" "the child's key is named after its own table, and the parent's key has another name",
        Surprise "improbable" "so many keys would hardly exist in the parent by chance",
        SurpriseUnnamed "improbable-without-name" "no name speaks for the pair, but so many keys would hardly exist in the parent by chance",
        Closest "closest" "share of keys in use, compared with the other parents",
        UnevennessGap "more-uneven" "the child's keys are spread more unevenly than over another parent's",
        OwnerElsewhere "owner-elsewhere" "another parent that holds the keys as well is the table that the column is named after",
        ParentKeyNamedElsewhere "parent-key-named-elsewhere" "the parent's key is named after another table, and perhaps refers to it itself",
        Bias "start" "where every pair starts",
    }
}

features! {
    /// A feature of a pair among its neighbours. The score of the pair alone comes in with the weight `pair`.
    NeighbourFeature {
        Pair "pair" "the pair by itself",
        IdConvention "id-convention" "references of this schema have an identifier word as this column has, or none as it has none",
        SiblingWord "sibling-name" "a column that differs in one word refers to the same key",
        SiblingAdjacent "sibling-column" "the next column refers to the same key",
        Isolated "otherwise-alone" "the child table has no other reference",
        Connects "connects" "nothing else joins the two parts of the schema",
        ScoreConnects "strong-and-connects" "the pair is strong by itself, and nothing else joins the two parts",
        OnlyParent "only-parent" "no other key holds the child's values",
        HasOtherEdge "child-refers-elsewhere" "other columns of the child table are references",
        Hub "parent-is-hub" "other tables refer to the parent table",
        Best "best-parent" "this is the best of the child's parents",
        Margin "margin" "distance from the second best parent",
        PatternShare "naming-pattern" "share of the schema's references with this kind of name",
        SameColumn "same-column-elsewhere" "columns of this name elsewhere refer to this key",
        Popular "popular-key" "other columns refer to this key",
        ChildHasKey "child-key-declared" "the child's column is a declared key itself",
        Reverse "reverse-stronger" "the other direction is stronger",
        Chain "parent-refers-on" "the parent's key is a reference itself",
        Bias "start" "where every pair starts",
        NoLikeness "no-name" "no name speaks for the pair",
        BestName "best-name" "no other parent's name is closer",
    }
}

features! {
    /// A feature of a pair of several columns.
    CompositeFeature {
        Bias "start" "where every pair of several columns starts",
        RoleLikeness "role-names-parent" "the common role of the columns names the parent table, or they bear the key's own names",
        NoRole "no-common-role" "the columns have no role in common",
        NamesAlike "names-alike" "no role in common, yet each column is named as its part of the key",
        Adjacent "adjacent" "the columns stand side by side",
        DenseKey "dense-key" "the parent's key has nearly every combination of its parts, so that chance explains the match",
        MissingKeys "missing-keys" "share of the child's keys that the parent does not have",
        SingleReference "single-reference" "one of the columns refers to the same table by itself",
        FewKeys "few-keys" "the child has fewer than four different keys",
        SelfReference "self-reference" "the child and the parent are one table, and no role tells them apart",
        ManyExact "many-exact" "so many different keys exist in the parent, and chance does not explain it",
        ParentOnlyKey "parent-only-joins" "the parent only joins other tables: its columns are its key, and refer to them",
        MeasurePart "measure-part" "a part of the key is a measure or a date, such as a year",
        OwnKey "child-is-key" "the columns are a key of the child as well, so that both tables may share a key of a third",
        ChildNamedAfterParent "child-table-names-parent" "the child table's name contains the parent's",
    }
}
