"""What topics and pages share: topics, played cases, tables of runs, plotting, pages, wording."""
